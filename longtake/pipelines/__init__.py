"""Pipelines: documents read and checked, their graph, what a step is told, and how it is drawn."""
