"""Deployments, functions and tasks on the emulators of AWS, for the tests next to this folder."""
