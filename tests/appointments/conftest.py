from tests.appointments.schools import anyio_backend, harmony, house, stillwater

__all__ = ["anyio_backend", "harmony", "house", "stillwater"]
