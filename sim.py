"""The command line's front door: python sim.py COMMAND."""

from sim.cli import main

if __name__ == "__main__":
    main()
