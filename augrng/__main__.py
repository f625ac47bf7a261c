"""The command `augrng`, also as `python -m augrng`; `augrng.pipelines.commands` has what it does."""

from augrng.pipelines.commands.table import run

if __name__ == "__main__":
    run()
