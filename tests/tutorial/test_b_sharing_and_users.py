"""From zero to AWS, chapters on shared folders, users and permissions: rows B25–B27 and B35."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import MappingProxyType

import pytest

from pytest_dockerlab import (
    Build,
    Container,
    Lab,
    LabError,
    assert_executable,
    assert_mode,
    assert_not_executable,
    assert_not_readable,
    assert_not_writable,
    assert_owner,
    assert_readable,
    assert_writable,
    container_fixture,
    image_fixture,
)

bind_image = image_fixture("bind-mount", scope="run")
user_image = image_fixture("user", scope="run")
two_users = image_fixture("two-users", scope="run")
permissions = image_fixture("user", dockerfile="Dockerfile.permissions", scope="run")

NOBODY_IN_IT = "1111:1111"


# --- B25: one folder, seen from both sides ---------------------------------------------------


@pytest.fixture
def mounted_folder(dockerfiles: Path, tmp_path: Path) -> Path:
    """The exercise's folder, to be written to."""
    return Path(shutil.copytree(dockerfiles / "bind-mount" / "mounted_folder", tmp_path / "mounted_folder"))


@pytest.mark.row("B25")
@pytest.mark.requires("local_files")
def test_b25_the_container_sees_what_the_host_wrote(lab: Lab, bind_image: Build, mounted_folder: Path) -> None:
    """B25: host → container: the file of the mounted folder is in /new_dir."""
    box = lab.run(bind_image, ["cat", "/new_dir/from_host.txt"], volumes={mounted_folder: "/new_dir"})
    assert box.output == "written on the host\n"


@pytest.mark.row("B25")
@pytest.mark.requires("local_files")
def test_b25_the_host_sees_what_the_container_wrote(lab: Lab, bind_image: Build, mounted_folder: Path) -> None:
    """B25: container → host: a file made in /new_dir is in the folder while the container still runs."""
    box = lab.run(bind_image, ["sleep", "600"], volumes={mounted_folder: "/new_dir"})
    made = box.exec(["sh", "-c", "echo written in the container > /new_dir/from_container.txt"])
    assert made.exit_code == 0
    assert (mounted_folder / "from_container.txt").read_text(encoding="utf-8") == "written in the container\n"
    (mounted_folder / "later.txt").write_text("later\n", encoding="utf-8")
    assert box.exec(["cat", "/new_dir/later.txt"]).output == "later\n"


@pytest.mark.row("B25")
@pytest.mark.requires("local_files")
def test_b25_a_read_only_mount_refuses(lab: Lab, bind_image: Build, mounted_folder: Path) -> None:
    """B25: with :ro the container reads the folder and can't write to it, not even as root."""
    box = lab.run(bind_image, ["touch", "/new_dir/refused"], volumes={mounted_folder: "/new_dir:ro"})
    assert box.exit_code == 1
    assert "Read-only file system" in box.logs()
    assert not (mounted_folder / "refused").exists()
    reader = lab.run(bind_image, ["cat", "/new_dir/from_host.txt"], volumes={mounted_folder: "/new_dir:ro"})
    assert reader.output == "written on the host\n"


@pytest.mark.row("B25")
@pytest.mark.requires("local_files")
def test_b25_a_missing_source_is_refused(lab: Lab, bind_image: Build, tmp_path: Path) -> None:
    """B25: a folder that is not there is an error that names it, not an empty folder in the container."""
    missing = tmp_path / "missing"
    with pytest.raises(LabError, match=re.escape(str(missing))):
        lab.run(bind_image, ["ls", "/new_dir"], volumes={missing: "/new_dir"})
    assert not missing.exists()


@pytest.mark.row("B25")
@pytest.mark.requires("local_files")
def test_wrong_b25_read_only(lab: Lab, bind_image: Build, mounted_folder: Path) -> None:
    """B25: a mount that was made read-only by mistake fails the check, and the message says read-only."""
    box = lab.run(bind_image, ["sleep", "600"], volumes={mounted_folder: "/new_dir:ro"})
    with pytest.raises(AssertionError, match=r"(?is)/new_dir.*read-only"):
        assert_writable(box, "/new_dir")


# --- B26: a user without a name --------------------------------------------------------------


@pytest.fixture
def box(lab: Lab, user_image: Build) -> Container:
    """`docker run -u 1111:1111 -v …/mounted_folder:/created_in_run`, the folder being user 1111's."""
    return lab.run(
        user_image,
        ["sleep", "600"],
        user=NOBODY_IN_IT,
        volumes={lab.owned_dir(1111): "/created_in_run"},
    )


@pytest.mark.row("B26")
@pytest.mark.requires("local_files")
def test_b26_the_user_has_its_ids_and_no_name(box: Container) -> None:
    """B26: id -u and id -g are 1111, and no name is found for it."""
    assert box.exec(["id", "-u"]).output == "1111\n"
    assert box.exec(["id", "-g"]).output == "1111\n"
    name = box.exec(["id", "-un"])
    assert name.exit_code == 1
    assert "cannot find name for user ID 1111" in name.stderr


@pytest.mark.row("B26")
@pytest.mark.requires("local_files")
def test_b26_owner_and_mode_of_both_folders(box: Container) -> None:
    """B26: created_in_Dockerfile is root's, created_in_run the user's, both 755."""
    assert_owner(box, "/created_in_Dockerfile", uid=0, gid=0)
    assert_owner(box, "/created_in_run", uid=1111, gid=1111)
    assert_mode(box, "/created_in_Dockerfile", 0o755)
    assert_mode(box, "/created_in_run", 0o755)


@pytest.mark.row("B26")
@pytest.mark.requires("local_files")
def test_b26_ls_shows_them_as_the_tutorial_does(box: Container) -> None:
    """B26: `ls -la` prints drwxr-xr-x root root for the one, drwxr-xr-x 1111 1111 for the other."""
    lines = box.exec(["ls", "-la", "/"]).output.splitlines()
    listing = {line.split()[-1]: line.split()[0:1] + line.split()[2:4] for line in lines if line.startswith("d")}
    assert listing["created_in_Dockerfile"] == ["drwxr-xr-x", "root", "root"]
    assert listing["created_in_run"] == ["drwxr-xr-x", "1111", "1111"]


@pytest.mark.row("B26")
@pytest.mark.requires("local_files")
def test_b26_writing_to_roots_folder_is_denied(box: Container) -> None:
    """B26: touch in created_in_Dockerfile says Permission denied."""
    refused = box.exec(["touch", "/created_in_Dockerfile/sample"])
    assert refused.exit_code == 1
    assert re.search(r"cannot touch '.*sample': Permission denied", refused.stderr)
    assert_not_writable(box, "/created_in_Dockerfile")


@pytest.mark.row("B26")
@pytest.mark.requires("local_files")
def test_b26_writing_to_its_own_folder_works(box: Container) -> None:
    """B26: touch in created_in_run works, and the new file is the user's."""
    assert box.exec(["touch", "/created_in_run/sample"]).exit_code == 0
    assert_owner(box, "/created_in_run/sample", uid=1111, gid=1111)
    assert_writable(box, "/created_in_run")


@pytest.mark.row("B26")
def test_wrong_b26_open_to_everybody(lab: Lab) -> None:
    """B26: a folder made with mode 777 fails the checks, and the message says 0777."""
    wrong = lab.build("FROM ubuntu:latest\nRUN mkdir -m 777 created_in_Dockerfile\n")
    running = lab.run(wrong, ["sleep", "600"], user=NOBODY_IN_IT)
    with pytest.raises(AssertionError, match=r"777"):
        assert_mode(wrong, "/created_in_Dockerfile", 0o755)
    with pytest.raises(AssertionError, match=r"/created_in_Dockerfile"):
        assert_not_writable(running, "/created_in_Dockerfile")


@pytest.mark.row("B26")
def test_wrong_b26_run_as_root(lab: Lab, user_image: Build) -> None:
    """B26: without -u the user is root, who may write to created_in_Dockerfile, and the check says so."""
    running = lab.run(user_image, ["sleep", "600"])
    assert running.exec(["id", "-u"]).output == "0\n"
    with pytest.raises(AssertionError, match=r"/created_in_Dockerfile"):
        assert_not_writable(running, "/created_in_Dockerfile")


@pytest.mark.row("B26")
@pytest.mark.requires("local_files")
def test_wrong_b26_the_folder_is_anothers(lab: Lab, user_image: Build) -> None:
    """B26: with the mounted folder owned by another user, owner and writability fail, with both ids."""
    running = lab.run(user_image, ["sleep", "600"], user=NOBODY_IN_IT, volumes={lab.owned_dir(2222): "/created_in_run"})
    with pytest.raises(AssertionError, match=r"(?s)1111.*2222"):
        assert_owner(running, "/created_in_run", uid=1111, gid=1111)
    with pytest.raises(AssertionError, match=r"/created_in_run"):
        assert_writable(running, "/created_in_run")


# --- B27: permission bits, proven by trying --------------------------------------------------

TRY_EACH = """
for file in /permissions/*; do
  r=-; w=-; x=-
  (cat "$file" > /dev/null) 2> /dev/null && r=r
  (: >> "$file") 2> /dev/null && w=w
  "$file" -c "exit 0" 2> /dev/null && x=x
  echo "${file##*/} $r$w$x"
done
"""
# Who → (uid:gid to try as, how far its three bits are shifted in a mode). The files are 1111:1111's.
CLASSES = MappingProxyType({"owner": ("1111:1111", 6), "group": ("2222:1111", 3), "others": ("3333:3333", 0)})
MODES = (0o400, 0o200, 0o100, 0o040, 0o020, 0o010, 0o004, 0o002, 0o001, 0o600, 0o644, 0o755, 0o777)

permission_box = container_fixture(permissions, ["sleep", "600"], scope="module")


@pytest.fixture(scope="module")
def tried(permission_box: Container) -> dict[str, dict[str, str]]:
    """Who → file → what worked when it was really tried, as "r-x"."""
    worked = {}
    for who, (user, _) in CLASSES.items():
        done = permission_box.exec(["sh", "-c", TRY_EACH], user=user)
        worked[who] = dict(line.split() for line in done.output.splitlines())
    return worked


def meant(mode: int, shift: int) -> str:
    """The three letters of one class in a mode: 0o754, 3 → "r-x"."""
    bits = mode >> shift & 7
    return "".join(letter if bits & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))


@pytest.mark.row("B27")
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: f"{mode:03o}")
def test_b27_each_bit_allows_what_it_says(tried: dict[str, dict[str, str]], mode: int) -> None:
    """B27: owner, group and others can read, write and execute just what their three bits say."""
    for who, (_, shift) in CLASSES.items():
        assert tried[who][f"{mode:03o}"] == meant(mode, shift), who


@pytest.mark.row("B27")
def test_b27_the_key_only_its_owner_reads(permission_box: Container) -> None:
    """B27: `chmod 400 mydocker.pem` shows as -r--------, and only its owner reads it."""
    made = permission_box.exec(
        ["sh", "-c", "cd /tmp && echo key > mydocker.pem && chmod 400 mydocker.pem && ls -la mydocker.pem"],
        user="1111:1111",
    )
    assert made.output.startswith("-r--------")
    assert_mode(permission_box, "/tmp/mydocker.pem", 0o400)
    assert_readable(permission_box, "/tmp/mydocker.pem", user="1111:1111")
    assert_not_readable(permission_box, "/tmp/mydocker.pem", user="2222:1111")
    assert_not_readable(permission_box, "/tmp/mydocker.pem", user="3333:3333")


@pytest.mark.row("B27")
@pytest.mark.parametrize(
    ("check", "path", "message"),
    [
        (assert_readable, "/permissions/600", "/permissions/600"),
        (assert_writable, "/permissions/644", "/permissions/644"),
        (assert_executable, "/permissions/644", "/permissions/644"),
        (assert_not_readable, "/permissions/644", "/permissions/644"),
        (assert_not_writable, "/permissions/777", "/permissions/777"),
        (assert_not_executable, "/permissions/755", "/permissions/755"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value).rpartition("/")[2],
)
def test_wrong_b27_a_bit_too_many_or_too_few(permission_box: Container, check, path: str, message: str) -> None:  # type: ignore[no-untyped-def]
    """B27: a stranger who may not do what is claimed (or may what is denied) fails the check, with the path."""
    with pytest.raises(AssertionError, match=message):
        check(permission_box, path, user="3333:3333")


@pytest.mark.row("B27")
def test_wrong_b27_another_mode(permission_box: Container) -> None:
    """B27: a key with mode 644 fails the check for 400, and both modes are shown."""
    with pytest.raises(AssertionError, match=r"(?s)400.*644"):
        assert_mode(permission_box, "/permissions/644", 0o400)


# --- B35: two users, two homes ---------------------------------------------------------------


@pytest.fixture
def homes(lab: Lab, two_users: Build) -> Container:
    """`docker run -u 1111 -v /home/aaa:/home/aaa -v /home/bbb:/home/bbb -it ubuntu bash`"""
    return lab.run(
        two_users,
        ["bash"],
        user=1111,
        volumes={lab.owned_dir(1111): "/home/aaa", lab.owned_dir(2222): "/home/bbb"},
        tty=True,
        stdin=True,
    )


@pytest.mark.row("B35")
@pytest.mark.requires("local_files")
def test_b35_a_user_writes_its_own_home(homes: Container) -> None:
    """B35: user 1111 makes a file in /home/aaa."""
    assert homes.exec(["id", "-u"]).output == "1111\n"
    assert homes.exec(["touch", "sample"], workdir="/home/aaa").exit_code == 0
    assert_owner(homes, "/home/aaa/sample", uid=1111)


@pytest.mark.row("B35")
@pytest.mark.requires("local_files")
def test_b35_and_not_the_others(homes: Container) -> None:
    """B35: in /home/bbb the same command says Permission denied."""
    refused = homes.exec(["touch", "sample"], workdir="/home/bbb")
    assert refused.exit_code == 1
    assert "touch: cannot touch 'sample': Permission denied" in refused.stderr
    assert_not_writable(homes, "/home/bbb")


@pytest.mark.row("B35")
@pytest.mark.requires("local_files")
def test_b35_owners_and_modes_as_listed(homes: Container) -> None:
    """B35: `ls -la /home` shows drwxr-xr-x 1111 1111 aaa and drwxr-xr-x 2222 2222 bbb."""
    lines = homes.exec(["ls", "-la", "/home"]).output.splitlines()
    listed = {fields[-1]: (fields[0], *fields[2:4]) for fields in (line.split() for line in lines[1:])}
    assert listed["aaa"] == ("drwxr-xr-x", "1111", "1111")
    assert listed["bbb"] == ("drwxr-xr-x", "2222", "2222")


@pytest.mark.row("B35")
@pytest.mark.requires("local_files")
def test_wrong_b35_a_home_open_to_all(lab: Lab, two_users: Build) -> None:
    """B35: a home with mode 777 is writable for the other user, and the checks name it and its mode."""
    box = lab.run(two_users, ["sleep", "600"], user=1111, volumes={lab.owned_dir(2222, mode=0o777): "/home/bbb"})
    with pytest.raises(AssertionError, match="/home/bbb"):
        assert_not_writable(box, "/home/bbb")
    with pytest.raises(AssertionError, match="777"):
        assert_mode(box, "/home/bbb", 0o755)
