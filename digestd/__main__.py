"""`python -m digestd`, for where the script is not on the path."""

from digestd.cli import main

main(prog_name="digestd")
