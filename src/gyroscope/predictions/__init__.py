"""The store of what models said: segments, tables, labels and their join. This room never judges a model.

A replica appends to `log.PredictionLog`, one `recorder.Recorder` per home turns segments into one Delta table per
model, `table.Table` reads it typed, `labels.Labels` keeps every outcome in exactly one state.
Names are imported from their files: a replica that appends must not load DuckDB and Delta with them.
"""
