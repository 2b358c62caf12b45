"""Longer proof, with its own commands: bin/prove. The suite runs a small part of each."""
