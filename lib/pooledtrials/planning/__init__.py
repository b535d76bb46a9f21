"""Planning the next trial: operating characteristics by simulation."""
