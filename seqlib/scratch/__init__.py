"""The layers in NumPy.

A module is a layer: `init`, `forward`, `backward`, every gradient derived by hand.
"""
