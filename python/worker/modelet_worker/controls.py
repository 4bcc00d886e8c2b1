"""What the runtime says of a call that it has made already: `{"call": 17, "control": …}`."""


class Controls:
    """Who listens, by call."""

    def __init__(self):
        self.listening = {}
        #: What was said of calls that nobody has begun to answer.
        self.early = {}

    def expect(self, number):
        """A call has come that is begun later: what is said of it meanwhile is kept."""
        self.early[number] = []

    def begin(self, number, listen):
        """`listen(header, body)` is called, by whoever receives frames, with what is said of a call."""
        self.listening[number] = listen
        for header, body in self.early.pop(number, ()):
            listen(header, body)

    def end(self, number):
        self.listening.pop(number, None)
        self.early.pop(number, None)

    def take(self, header, body):
        """Whether a frame is one of these, and no call. What comes behind the end of a call is for nobody."""
        if "control" not in header:
            return False
        number = header["call"]
        if number in self.early:
            self.early[number].append((header, body))
        elif number in self.listening:
            self.listening[number](header, body)
        return True


    def say_last(self):
        """Nothing more will be said: the runtime has gone, or no more is to be received of it."""
        for number in [*self.early, *self.listening]:
            self.take({"call": number, "control": "last"}, b"")


#: Of this process.
controls = Controls()
