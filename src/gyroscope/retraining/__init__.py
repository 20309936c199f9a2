"""Challengers from the model's own labelled predictions: when to train, the trainer's process, what came of it.

Control runs the loop. What is trained becomes a version with its lineage and waits as a challenger; no route changes.
"""
