"""A file's way to its name: whole or not at all, over nobody else's, and the same after every interruption."""

import pytest
from tests.transfer.servers import PROTOCOLS, open_session, server_of, server_of_openssh

from palletflow.network_errors import Misconfigured
from palletflow.transfer.errors import Interrupted, NameTaken, NotNow
from palletflow.transfer.placing import Manner, Step, place

NAME = "60000000017_1.jpg"
PART = f"{NAME}.part"
PHOTO = bytes(range(256)) * 1500
TEMPORARY, DIRECT = Manner(), Manner(temp_suffix="")


class Placer:
    """Places NAME by one session, and keeps the steps it was told of."""

    def __init__(self, session):
        self.session = session
        self.steps = []

    def __call__(self, data=PHOTO, manner=TEMPORARY, last=None, told=None):
        def tell(step):
            self.steps.append(step)
            if told:
                told(step)

        place(self.session, "upload", NAME, data, manner, told=tell, last=last)


@pytest.fixture(params=PROTOCOLS)
def protocol(request):
    return request.param


@pytest.fixture
def placer(files, protocol):
    session = open_session(server_of(protocol, files))
    yield Placer(session)
    session.close()


def put(files, name, data=PHOTO):
    files.received.put("pw123", name, data)


# Undisturbed


@pytest.mark.rule("PW-6-28", "PW-6-30", "PW-6-32")
def test_a_file_appears_whole_under_its_name(files, placer):
    seen = []
    placer(told=lambda step: seen.append((step, sorted(files.stored()))))
    assert files.stored() == {NAME: PHOTO}
    assert seen == [(Step.WRITING, []), (Step.RENAMING, [PART])]


@pytest.mark.rule("PW-6-28", "PW-6-30")
def test_a_file_appears_whole_at_openssh(openssh):
    session = open_session(server_of_openssh(openssh))
    Placer(session)()
    session.close()
    assert [path.name for path in openssh.files.iterdir()] == [NAME]
    assert (openssh.files / NAME).read_bytes() == PHOTO


@pytest.mark.rule("PW-6-31")
def test_a_file_goes_directly_to_a_server_without_renaming(files, placer):
    files.switches.set({"rename": "refused"})
    placer(manner=DIRECT)
    assert files.stored() == {NAME: PHOTO}
    assert placer.steps == [Step.WRITING]


@pytest.mark.rule("PW-6-32")
def test_a_file_that_is_taken_away_at_once_has_arrived(files, placer):
    files.switches.set({"consume_after_s": 0})
    placer()
    assert files.received.names("pw123") == []
    assert [file.data for file in files.published] == [PHOTO]


# Names that are taken


@pytest.mark.rule("PW-6-27")
@pytest.mark.parametrize("manner", [TEMPORARY, DIRECT])
def test_what_stands_under_the_name_stays(files, placer, manner):
    put(files, NAME, b"somebody else's")
    with pytest.raises(NameTaken):
        placer(manner=manner)
    assert (files.stored(), placer.steps) == ({NAME: b"somebody else's"}, [])


@pytest.mark.rule("PW-6-27", "PW-6-30")
def test_what_came_under_the_name_while_we_wrote_stays(files, placer):
    with pytest.raises(NameTaken):
        placer(told=lambda step: step is Step.RENAMING and put(files, NAME, b"somebody else's"))
    assert files.stored() == {NAME: b"somebody else's"}


@pytest.mark.rule("PW-6-22", "PW-6-27")
def test_what_came_under_the_name_at_the_very_last_stays_at_openssh(openssh, monkeypatch):
    """Between the look and the renaming: OpenSSH's own rename says no."""
    session = open_session(server_of_openssh(openssh))
    look = session.look

    def late(name):
        found = look(name)
        if name == NAME and (openssh.files / PART).exists() and not (openssh.files / NAME).exists():
            (openssh.files / NAME).write_bytes(b"somebody else's")
        return found

    monkeypatch.setattr(session, "look", late)
    with pytest.raises(NameTaken):
        Placer(session)()
    session.close()
    assert [path.name for path in openssh.files.iterdir()] == [NAME]
    assert (openssh.files / NAME).read_bytes() == b"somebody else's"


@pytest.mark.rule("PW-6-27")
@pytest.mark.parametrize("last", [Step.WRITING, Step.RENAMING])
def test_a_taken_name_takes_our_temporary_file_with_it(files, placer, last):
    """One of the same size too: our own is still there, so that was not it."""
    put(files, NAME, bytes(len(PHOTO)))
    put(files, PART)
    with pytest.raises(NameTaken):
        placer(last=last)
    assert files.stored() == {NAME: bytes(len(PHOTO))}


# Interrupted, and begun again


@pytest.mark.rule("PW-6-28")
@pytest.mark.parametrize("left", [None, b"", PHOTO[:1000], PHOTO, PHOTO + b"longer"])
def test_after_a_break_while_writing_it_is_written_from_the_first_byte(files, placer, left):
    if left is not None:
        put(files, PART, left)
    placer(last=Step.WRITING)
    assert files.stored() == {NAME: PHOTO}


@pytest.mark.rule("PW-6-26")
def test_a_renaming_whose_answer_was_lost_was_done(files, placer, protocol):
    files.switches.set({"rename": "lost_reply"})
    with pytest.raises(Interrupted):
        placer()
    assert placer.session.broken
    assert placer.steps == [Step.WRITING, Step.RENAMING]
    files.switches.set({"rename": "ok"})
    again = Placer(open_session(server_of(protocol, files)))
    again(last=Step.RENAMING)
    again.session.close()
    assert (again.steps, files.stored()) == ([], {NAME: PHOTO})
    assert [file.data for file in files.published] == [PHOTO]


@pytest.mark.rule("PW-6-26")
def test_a_renaming_that_was_not_done_is_begun_again(files, placer):
    put(files, PART)
    placer(last=Step.RENAMING)
    assert files.stored() == {NAME: PHOTO}


@pytest.mark.rule("PW-6-26")
def test_with_neither_file_left_it_is_sent_again_under_the_same_name(files, placer):
    placer(last=Step.RENAMING)
    assert files.stored() == {NAME: PHOTO}


@pytest.mark.rule("PW-6-26", "PW-6-27")
def test_another_size_under_the_name_was_not_ours(files, placer):
    put(files, NAME, b"somebody else's")
    with pytest.raises(NameTaken):
        placer(last=Step.RENAMING)
    assert files.stored() == {NAME: b"somebody else's"}


@pytest.mark.rule("PW-6-31")
@pytest.mark.parametrize(("left", "steps"), [(PHOTO[:1000], [Step.WRITING]), (PHOTO, [])])
def test_what_was_begun_under_the_name_itself_is_ended(files, placer, left, steps):
    put(files, NAME, left)
    placer(manner=DIRECT, last=Step.WRITING)
    assert (files.stored(), placer.steps) == ({NAME: PHOTO}, steps)


# What goes wrong leaves nothing behind


@pytest.mark.rule("PW-6-29")
@pytest.mark.parametrize("manner", [TEMPORARY, DIRECT])
def test_a_file_that_arrived_short_is_taken_back(files, placer, manner):
    files.switches.set({"truncate_stored": 7})
    with pytest.raises(NotNow, match=r"has 383993 bytes after writing, not 384000"):
        placer(manner=manner)
    assert (files.stored(), files.published if manner is TEMPORARY else []) == ({}, [])


@pytest.mark.rule("PW-6-33")
@pytest.mark.parametrize("manner", [TEMPORARY, DIRECT])
def test_what_did_not_fit_on_the_disk_is_taken_back(files, placer, protocol, manner):
    files.switches.set({"disk_full_at": {protocol: 100_000}})
    with pytest.raises(NotNow):
        placer(manner=manner)
    assert files.stored() == {}


@pytest.mark.rule("PW-6-31")
def test_a_renaming_that_is_refused_takes_the_temporary_file_with_it(files, placer):
    files.switches.set({"rename": "refused"})
    with pytest.raises(NotNow, match="Renaming"):
        placer()
    assert (files.stored(), placer.steps) == ({}, [Step.WRITING, Step.RENAMING])


@pytest.mark.rule("PW-6-33")
def test_a_break_in_the_middle_leaves_nothing_under_the_name(files, placer, protocol):
    files.switches.set({"ftp_drop_at": {protocol: {"value": 100_000, "times": 1}}})
    with pytest.raises(Interrupted):
        placer()
    assert NAME not in files.stored()


# Sizes that nobody tells


@pytest.fixture(params=["ftp", "ftps"])
def sizeless(files, request):
    """A server whose listing is all there is, and has no sizes in it; SFTP always tells them."""
    protocol = request.param
    session = open_session(server_of(protocol, files))
    files.switches.set({"ftp_no_size": "on", "ftp_reply": {"MLST": 502}})
    listed = session._ftp.retrlines

    def without_sizes(command, callback):
        return listed(command, lambda line: callback(f"-rw-r--r-- {line.rsplit(' ', 1)[1]}"))

    session._ftp.retrlines = without_sizes
    yield Placer(session)
    session.close()


@pytest.mark.rule("PW-6-29")
def test_a_server_that_tells_no_sizes_is_not_trusted(files, sizeless):
    with pytest.raises(Misconfigured, match="size_check"):
        sizeless()
    assert files.stored() == {}


@pytest.mark.rule("PW-6-29")
def test_a_server_that_tells_no_sizes_may_be_trusted_all_the_same(files, sizeless):
    sizeless(manner=Manner(needs_size=False))
    assert files.stored() == {NAME: PHOTO}
