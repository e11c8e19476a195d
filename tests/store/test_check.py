"""Check and repair: what is not as it should be is found, and a store is made of all that is."""

import pytest

from logpith.store import open_store
from logpith.store.check import check_store, problem_of, repair_store
from logpith.store.keeping import Keeper
from logpith.store.manifest import MANIFEST_COPY, read_manifest, write_manifest
from logpith.store.retention import Policy
from logpith.store.writer import segment_folder
from logpith.timerange import NS_PER_D
from logpith_emit.disk import Disk
from logpith_emit.errors import NotFound, Refused, Unavailable
from stores import NOW_NS, batch_of, snapshot_of, stored_names

NAMES = ["a", "b", "c", "d", "e"]


@pytest.fixture
def folder(tmp_path):
    """A store of three segments of two days, and a record that is in the spool only."""
    folder = tmp_path / "store"
    with open_store(folder) as store:
        store.append(batch_of("a", "b"), position=("app", "behind b"))
        store.append(batch_of("c", day=1))
        store.seal(NOW_NS)
        store.append(batch_of("d"))
        store.seal(NOW_NS + 1)
        store.append(batch_of("e"), position=("app", "behind e"))
    return folder


def damage(path, place=0.5):
    data = bytearray(path.read_bytes())
    data[int((len(data) - 1) * place)] ^= 1
    path.write_bytes(data)


def found(checked):
    return [(finding.kind, finding.place) for finding in checked.findings]


def segment_folders(folder):
    return [segment_folder(folder, entry) for entry in read_manifest(Disk(), folder).segments]


def place_of(home):
    return f"{home.parent.name}/{home.name}"


def test_a_good_store_has_no_findings(folder):
    checked = check_store(folder)

    assert (checked.findings, checked.is_good) == ((), True)
    assert (checked.segments, checked.records, checked.spooled) == (3, 4, 1)
    assert not checked.is_written


def test_repair_leaves_a_good_store_as_it_is(folder):
    before = read_manifest(Disk(), folder)

    assert repair_store(folder, NOW_NS).repaired == ()

    assert read_manifest(Disk(), folder) == before


@pytest.mark.parametrize("place", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize(
    "name",
    ["segment.json", "data.parquet", "templates.parquet", "words.bits", "rollup.parquet", "shapes.msgpack"],
)
def test_a_flipped_bit_in_a_segment_is_found_and_put_aside(folder, name, place):
    home = segment_folders(folder)[2]
    damage(home / name, place)

    assert found(check_store(folder)) == [("damaged", place_of(home))]
    repaired = repair_store(folder, NOW_NS)

    assert repaired.is_good
    assert "1 record is lost" in repaired.repaired[0]
    assert (folder / "damaged" / home.name / name).exists()
    assert stored_names(folder) == ["a", "b", "c", "e"]
    assert snapshot_of(folder).manifest.dropped == {"damaged": 1}


@pytest.mark.parametrize("name", ["segment.json", "words.bits"])
def test_a_missing_file_of_a_segment_is_found_and_put_aside(folder, name):
    home = segment_folders(folder)[0]
    (home / name).unlink()

    assert [(finding.place, finding.problem) for finding in check_store(folder).findings] == [
        (place_of(home), f"{name} is missing")
    ]
    assert repair_store(folder, NOW_NS).is_good
    assert stored_names(folder) == ["c", "d", "e"]


def test_a_segment_that_is_gone_is_missing_and_its_records_are_counted(folder):
    home = segment_folders(folder)[0]
    Disk().remove_folder(home)

    assert found(check_store(folder)) == [("missing", place_of(home))]
    assert repair_store(folder, NOW_NS).is_good
    assert snapshot_of(folder).manifest.dropped == {"damaged": 2}


def test_a_segment_whose_parts_disagree_is_damaged_though_each_checksum_is_right(folder, tmp_path):
    """As a fault of our own would leave it."""
    import msgspec

    from logpith.store.segment import Segment, spell_head
    from logpith.store.segment_writer import digest

    home, other = segment_folders(folder)[0], segment_folders(folder)[2]
    head = Segment.open(home, Disk()).head
    for name, problem in [
        ("rollup.parquet", "the rollup counts"),
        ("templates.parquet", "template that is not"),
    ]:
        data = (other / name).read_bytes()
        before = (home / name).read_bytes()
        (home / name).write_bytes(data)
        forged = msgspec.structs.replace(
            head, files={**head.files, name: digest(data)}, sizes={**head.sizes, name: len(data)}
        )
        (home / "segment.json").write_bytes(spell_head(forged))

        assert problem in problem_of(home, Disk())
        (home / name).write_bytes(before)
    (home / "segment.json").write_bytes(spell_head(msgspec.structs.replace(head, undated=1)))
    assert problem_of(home, Disk()) == "the times are others than the head says"


def test_what_lies_about_is_a_stray_and_in_nobodys_way(folder):
    home = segment_folders(folder)[0]
    (folder / "notes.txt").write_text("mine")
    (home / "extra").write_text("what is this")
    (folder / "days" / "2024-10-04" / "draft-x").mkdir()

    checked = check_store(folder)

    assert checked.is_good
    assert set(found(checked)) == {
        ("stray", "notes.txt"),
        ("stray", f"{place_of(home)}/extra"),
        ("stray", "2024-10-04/draft-x"),
    }
    assert repair_store(folder, NOW_NS).is_good
    assert (folder / "notes.txt").read_text() == "mine"


def test_while_a_store_is_written_it_can_be_checked_but_not_repaired(folder):
    with open_store(folder) as store:
        store.append(batch_of("f"))
        (folder / "days" / "2024-10-04" / "draft-x").mkdir()

        checked = check_store(folder)

        assert checked.is_written
        assert (checked.findings, checked.spooled) == ((), 2)
        with pytest.raises(Unavailable, match="another process"):
            repair_store(folder, NOW_NS)


def test_damage_in_the_spool_is_found_and_what_is_good_there_is_kept(folder):
    before = set((folder / "spool").glob("*.spool"))
    with open_store(folder) as store:
        store.append(batch_of("f"))
        store.append(batch_of("g"))
    (path,) = set((folder / "spool").glob("*.spool")) - before
    damage(path, 0.2)

    checked = check_store(folder)

    assert (found(checked), checked.is_good, checked.spooled) == ([("damaged", "spool")], False, 2)
    repaired = repair_store(folder, NOW_NS)
    assert (repaired.is_good, repaired.spooled) == (True, 0)
    assert "was copied to damaged" in repaired.repaired[0]
    assert (folder / "damaged" / path.name).exists()
    assert stored_names(folder) == [*NAMES, "g"]


# ── A lost manifest ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("loss", ["flipped", "missing", "cut"])
@pytest.mark.parametrize("has_copy", [True, False])
def test_a_lost_manifest_is_made_anew_and_no_record_is_lost_or_doubled(folder, loss, has_copy):
    path = folder / "MANIFEST"
    if has_copy:
        (folder / MANIFEST_COPY).write_bytes(path.read_bytes())
    if loss == "missing":
        path.unlink()
    elif loss == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        damage(path)
    assert ("damaged" if loss != "missing" else "missing", "MANIFEST") in found(check_store(folder))

    repaired = repair_store(folder, NOW_NS)

    assert repaired.is_good
    assert stored_names(folder) == NAMES
    with open_store(folder) as store:
        assert store.position("app") == "behind e"
        store.append(batch_of("f"))
        store.seal(NOW_NS)
    assert stored_names(folder) == [*NAMES, "f"]


def test_positions_come_from_the_copy_that_is_kept_beside_the_manifest(folder):
    with open_store(folder) as store:
        store.seal(NOW_NS + 2)
        Keeper(store, Policy(retention_ns=10**6 * NS_PER_D)).keep(NOW_NS, None)
    (folder / "MANIFEST").unlink()

    repaired = repair_store(folder, NOW_NS)

    assert "positions are those of generation" in repaired.repaired[0]
    with open_store(folder) as store:
        assert store.position("app") == "behind e"


def test_segments_that_were_put_together_already_are_not_taken_twice(folder, tmp_path):
    """Power cut between the new manifest and the trash, and then the manifest is lost, too."""
    kept = tmp_path / "kept"
    with open_store(folder) as store:
        for number, name in enumerate("fghi"):
            store.append(batch_of(name))
            store.seal(NOW_NS + 10 + number)
        before = {entry.id: segment_folder(folder, entry) for entry in store.manifest.segments}
        for home in before.values():
            (kept / home.parent.name / home.name).mkdir(parents=True)
            for file in home.iterdir():
                (kept / home.parent.name / home.name / file.name).write_bytes(file.read_bytes())
        store.compact(NOW_NS + 100)
        names = {entry.id for entry in store.manifest.segments}
    merged = [home for name, home in before.items() if name not in names]
    assert len(merged) > 3
    for home in merged:
        (kept / home.parent.name / home.name).rename(home)
    (folder / "MANIFEST").unlink()

    repair_store(folder, NOW_NS)

    assert stored_names(folder) == [*NAMES, *"fghi"]


def test_frames_that_were_sealed_already_are_not_taken_twice(folder, tmp_path):
    """Power cut between the new manifest and the end of the spool's files, and then the manifest is lost, too."""
    with open_store(folder) as store:
        store.append(batch_of("f"))
    files = {path: path.read_bytes() for path in (folder / "spool").glob("*.spool")}
    with open_store(folder) as store:
        store.seal(NOW_NS + 10)
        store.append(batch_of("g"))
    for path, data in files.items():
        path.write_bytes(data)
    (folder / "MANIFEST").unlink()

    repair_store(folder, NOW_NS)

    assert stored_names(folder) == [*NAMES, "f", "g"]


# ── What is no store of ours ────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_checked_or_repaired_where_there_is_no_store(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"dear to somebody")

    for ask in (check_store, lambda folder: repair_store(folder, NOW_NS)):
        with pytest.raises(NotFound, match="there is no store"):
            ask(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_a_lost_format_is_written_anew_and_that_of_a_later_version_is_left_alone(folder):
    (folder / "FORMAT").unlink()
    assert found(check_store(folder)) == [("damaged", "FORMAT")]
    assert repair_store(folder, NOW_NS).is_good
    assert stored_names(folder) == NAMES

    (folder / "FORMAT").write_bytes(b"logpith store 2\n")
    assert ("damaged", "FORMAT") in found(check_store(folder))
    with pytest.raises(Refused, match="does not read"):
        repair_store(folder, NOW_NS)
    assert (folder / "FORMAT").read_bytes() == b"logpith store 2\n"


def test_a_manifest_that_says_something_else_of_a_segment_is_set_right(folder):
    import msgspec

    manifest = read_manifest(Disk(), folder)
    wrong = msgspec.structs.replace(manifest.segments[0], records=7)
    write_manifest(
        Disk(), folder, msgspec.structs.replace(manifest, segments=(wrong, *manifest.segments[1:]))
    )

    assert [finding.problem for finding in check_store(folder).findings] == [
        "the manifest says something else of it"
    ]
    assert repair_store(folder, NOW_NS).is_good
    assert read_manifest(Disk(), folder).segments == manifest.segments
