"""Runs `palletflow` with its arguments: a backup or a restore to be killed in its middle."""

import sys

from palletflow import cli

sys.exit(cli.main(sys.argv[1:]))
