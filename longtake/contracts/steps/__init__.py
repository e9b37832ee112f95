"""The seam between workflows and activities: each step's name, and what goes in and out.

A workflow refers to a step by these typed references and never imports the code behind it.
Payloads carry references into the work store, not data: indexes and plans lie in the store.
"""
