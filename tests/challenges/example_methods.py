"""Methods good and bad, as a module of a participant: the processes of the harness import it."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

COVARIANCE = {"cov11": 1e-4, "cov22": 1e-4, "cov12": 0.0}
calls = 0


class Shape:
    """A shear method in a few lines: Gaussian-weighted moments about the middle of each VIS image."""

    name = "shape"

    def predict(self, field):
        vis = field.surveys["EUCLID_VIS"]
        size = vis.image.shape[-1]
        moments = np.zeros((2, 2))
        for scene, exposure in np.ndindex(*vis.image.shape[:2]):
            wcs = vis.wcs[scene, exposure]
            pixels = np.indices((size, size))[::-1].reshape(2, -1)
            sky = np.linalg.inv(wcs[:, :2]) @ (pixels - wcs[:, 2:])
            light = vis.image[scene, exposure].ravel() * np.exp(-(sky**2).sum(axis=0) / 2)
            moments += (sky * light) @ sky.T
        trace = np.trace(moments)
        e1, e2 = (moments[0, 0] - moments[1, 1]) / trace, 2 * moments[0, 1] / trace
        return {"g1": e1 / 2, "g2": e2 / 2} | COVARIANCE


class Biased(Shape):
    """The same with a bias of its own, which the harness has to find."""

    name = "biased"

    def predict(self, field):
        found = super().predict(field)
        return found | {"g1": 1.1 * found["g1"] + 0.01, "g2": 1.1 * found["g2"] - 0.003}


class Recorder:
    """Writes down all that it can know of where it runs, in the folder $RECORD."""

    name = "recorder"

    def predict(self, field):
        global calls
        calls += 1
        given = Path(sys.argv[2])
        known = {
            "id": field.id,
            "pid": os.getpid(),
            "calls": calls,
            "argv": sys.argv,
            "environment": dict(os.environ),
            "folder": sorted(path.name for path in given.parent.iterdir()),
            "threads": os.environ.get("OMP_NUM_THREADS"),
        }
        record = Path(os.environ["RECORD"]) / f"{field.id}.json"
        record.write_text(json.dumps(known))
        record.with_suffix(".npz").write_bytes(given.read_bytes())
        return {"g1": 0.0, "g2": 0.0} | COVARIANCE


class Talker:
    """Says a lot on both channels, some of which looks like an answer, and answers well."""

    name = "talker"

    def predict(self, field):
        sys.stdout.write('{"g1": 0.5}\n' * 10_000)
        sys.stdout.flush()
        sys.stdout.buffer.write(b"\xff\xfe")
        sys.stderr.write("not a warning\n")
        return {"g1": 0.0, "g2": 0.0} | COVARIANCE


class Forks:
    """Leaves a process running that holds all it was given open, and answers well."""

    name = "forks"

    def predict(self, field):
        pid = os.fork()
        if not pid:
            time.sleep(300)
            os._exit(0)
        (Path(os.environ["RECORD"]) / str(pid)).touch()
        return {"g1": 0.0, "g2": 0.0} | COVARIANCE


class Crashes:
    name = "crashes"

    def predict(self, field):
        raise RuntimeError("the sky fell")


class NeedsSettings:
    name = "needs settings"

    def __init__(self, settings):
        self.settings = settings

    def predict(self, field):
        return {}


class Leaves:
    name = "leaves"

    def predict(self, field):
        sys.exit(0)


class Vanishes:
    name = "vanishes"

    def predict(self, field):
        os._exit(3)


class Killed:
    name = "killed"

    def predict(self, field):
        os.kill(os.getpid(), signal.SIGKILL)


class Sleeps:
    name = "sleeps"

    def predict(self, field):
        time.sleep(60)


class WrongKeys:
    name = "wrong keys"

    def predict(self, field):
        return {"e1": 0.0, "e2": 0.0} | COVARIANCE


class TooMuch:
    name = "too much"

    def predict(self, field):
        return {"g1": 0.0, "g2": 0.0, "kappa": 0.0} | COVARIANCE


class NotANumber:
    name = "not a number"

    def predict(self, field):
        return {"g1": float("nan"), "g2": float("inf")} | COVARIANCE


class Empty:
    name = "empty"

    def predict(self, field):
        return {}


class Fickle:
    """Answers g2 for some fields only."""

    name = "fickle"

    def predict(self, field):
        return {"g1": 0.0} | COVARIANCE | ({"g2": 0.0} if field.id % 2 else {})


class Pair:
    name = "pair"

    def predict(self, field):
        return (0.0, 0.0)


class Words:
    name = "words"

    def predict(self, field):
        return {"g1": "small", "g2": 0.0} | COVARIANCE


class Impossible:
    """A shear of one and more, with a covariance that is none."""

    name = "impossible"

    def predict(self, field):
        return {"g1": 0.9, "g2": 0.9, "cov11": 1e-4, "cov22": 1e-4, "cov12": 1.0}


class Mute:
    name = "mute"


no_class = Shape()
