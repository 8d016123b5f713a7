"""Let `python -m takings` be the command line."""

from takings.entrypoints.cli import main

if __name__ == "__main__":
    main()
