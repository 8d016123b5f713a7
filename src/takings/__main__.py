"""Run the command line as `python -m takings`."""

from takings.entrypoints.cli import main

if __name__ == "__main__":
    main()
