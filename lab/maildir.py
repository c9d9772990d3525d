"""The mail that a receiving server of the lab has put into its maildir."""

import os

from programs import wait_for


class Maildir:
    """For a server's class, which sets `mailbox`, the folder of the messages, and `endpoint`."""

    def messages(self):
        """All messages delivered so far, as octets, oldest first."""
        if not os.path.isdir(self.mailbox):
            return []
        paths = sorted(
            (os.path.join(self.mailbox, name) for name in os.listdir(self.mailbox)), key=os.path.getmtime
        )
        texts = []
        for path in paths:
            with open(path, "rb") as message:
                texts.append(message.read())
        return texts

    def find(self, *tokens):
        """The first message that holds all these octets, or none."""
        return next((text for text in self.messages() if all(token in text for token in tokens)), None)

    def wait_for_message(self, *tokens, deadline=20.0):
        return wait_for(
            lambda: self.find(*tokens), lambda: f"a message with {tokens} at {self.endpoint}", deadline
        )
