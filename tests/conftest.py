"""For all tests: hypothesis does not time its examples, since a busy machine would fail them."""

from hypothesis import settings

settings.register_profile("untimed", parent=settings(), deadline=None)  # whatever else the environment's profile says
settings.load_profile("untimed")
