-- A template has no status: it is there.
return { status = "Healthy", message = "" }
