"""The orchestrator: plans of jobs, their run on Ray, their rows in Parquet, the command line.

It knows Ray (in one room, `ray_backend`), Parquet and the terminal. It knows no experiment and no model: it reaches
an experiment only through the registry in `tasks/__init__.py`. What an experiment needs from here is in
`orchestrator.experiment`.
"""
