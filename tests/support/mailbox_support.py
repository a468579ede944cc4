"""Putting a message into a mailbox without a broker, waiting for room or not."""

from trio.lowlevel import cancel_shielded_checkpoint, checkpoint_if_cancelled

from airssys.messaging.mailboxes import wait_for_room


async def put(mailbox, envelope):
    """Do what a broker does when it sends: deliver the message or wait for room."""
    await checkpoint_if_cancelled()
    if mailbox.offer(envelope):
        await cancel_shielded_checkpoint()
    else:
        await wait_for_room(mailbox, envelope)


def put_nowait(mailbox, envelope):
    """Deliver the message, or raise `MailboxFull`."""
    if not mailbox.offer(envelope):
        mailbox._refuse()
