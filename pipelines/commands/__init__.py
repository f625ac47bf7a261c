"""What people run: the subcommands of `augrng`, each with a `main` that takes its arguments."""
