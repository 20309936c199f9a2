"""Challengers on their way to champion: shadow, canary, promotion, and the way back.

Control runs the loop, commands make single steps. It trains nothing and starts no process: it changes routes.
"""
