"""One Plotly figure per file; each function takes signals or counts and gives back a `Figure`.

The same function feeds the page, the HTML report and a notebook. Unknown values are left out and said so.
"""
