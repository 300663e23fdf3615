"""Faults on purpose: real processes, killed and restarted under load, and an oracle that says what was lost.

Nothing of the product imports this, and this breaks nothing but what it starts itself.
"""
