"""Deployments, functions and tasks on the emulators of AWS, for the tests beside this folder."""
