-- A runtime has no status: it is there, or out of use.
if obj.spec.disabled then
  return { status = "Suspended", message = "spec.disabled is true" }
end
return { status = "Healthy", message = "" }
