"""When the garbage collector looks for cycles among new objects.

CPython looks whenever there are 700 more objects than the last time (2,000 from 3.13 on). Two dozen requests that wait
for something are as many, and leave no cycles: with hundreds in flight a tenth of the worker's time went into looking
through them again and again. So the number grows with the requests in flight. An application that does leave cycles
is to need little more memory for it: then the collector looks also after so many bytes of bodies, which are few
objects, and when the loop answers the heartbeat's question. A number that the application sets itself is left alone.
"""

import gc
import sysconfig

#: What a request that waits may have of objects that can be part of a cycle.
OBJECTS_OF_A_REQUEST = 25
#: Of what has gone over the stream in both directions.
LOOK_AFTER_BYTES = 16 * 1024 * 1024
#: What is new, and what has been looked at once: it may have been in use by then.
YOUNG = 1


class Looks:
    """Sets the number, as long as nobody else does."""

    __slots__ = ("_usual", "_number")

    def __init__(self):
        # Without the interpreter's lock a look goes through all objects, and comes seldom enough: 0, none of ours.
        self._usual = 0 if sysconfig.get_config_var("Py_GIL_DISABLED") else gc.get_threshold()[0]
        self._number = self._usual

    def tell(self, requests):
        """So many are in flight. Looks at what is new, if the next look may be far."""
        first, *others = gc.get_threshold()
        if first == 0 or first != self._number:
            return
        if first > self._usual and gc.get_count()[0] >= self._usual:
            self.look()
        wanted = max(self._usual, requests * OBJECTS_OF_A_REQUEST)
        if wanted != first:
            self._number = wanted
            gc.set_threshold(wanted, *others)

    def look(self):
        """Looks through young objects now, unless the application has decided when that is done."""
        if self._number and gc.get_threshold()[0] == self._number and gc.isenabled():
            gc.collect(YOUNG)


#: The collector is the process's: there is one.
looks = Looks()
