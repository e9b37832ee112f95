from tests.client.fixtures import clip, control, cpu, longtake, temporal

__all__ = ["clip", "control", "cpu", "longtake", "temporal"]
