"""What the runtime says of a call that it has made already: `{"call": 17, "control": …}`."""


class Controls:
    """Who listens, by call."""

    def __init__(self):
        self.listening = {}

    def begin(self, number, listen):
        """`listen(header, body)` is called, by whoever receives frames, with what is said of a call."""
        self.listening[number] = listen

    def end(self, number):
        self.listening.pop(number, None)

    def take(self, header, body):
        """Whether a frame is one of these, and no call. What comes behind the end of a call is for nobody."""
        if "control" not in header:
            return False
        listen = self.listening.get(header["call"])
        if listen:
            listen(header, body)
        return True


    def say_last(self):
        """Nothing more will be said: the runtime has gone, or no more is to be received of it."""
        for number in list(self.listening):
            self.take({"call": number, "control": "last"}, b"")


#: Of this process.
controls = Controls()
