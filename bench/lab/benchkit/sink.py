"""The store behind every server that is measured, on the generator's CPU."""

from labkit import sink

from . import machine


class Sink(sink.Sink):
    def start(self):
        with machine.on_cpu(machine.cpus()[1]):
            super().start()
