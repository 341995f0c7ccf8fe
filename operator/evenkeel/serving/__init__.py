"""What a revision is: model source, runtime, pod template, storage, children."""
