"""A store on the emulators of AWS."""
