# pandas annotates the keys of groupby, the rows of itertuples and the values of columns as anything hashable, which
# every use of them contradicts. To pyright, frames are untyped instead; the tests hold what they contain.

from typing import Any

class DataFrame(Any):
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

class Series(Any):
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

class Categorical(Any):
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

def __getattr__(name: str) -> Any: ...
