"""`python -m midair`: the same as the `midair` command."""

from midair.cli.main import main

if __name__ == "__main__":
    main()
