"""Small programs that run beside a model server, in its pod. They use nothing of the operator."""
