/* Two errands that dockerd runs at every start of a container, done without dockerd.
 *
 * Docker Engine up to 25 executes itself, a program of 100 MB, as "libnetwork-setkey" and (up to 20.10) as "set-ipv6":
 * 40 ms each, nearly all of it the start of a Go program that then makes three system calls. Loaded into it by
 * LD_PRELOAD, this makes these calls before Go begins. Whatever is not exactly as expected is left to dockerd: the
 * constructor returns, and the program goes on as if it were not here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* set-ipv6 NETNS INTERFACE true|false (moby: libnetwork/osl/namespace_linux.go, reexecSetIPv6) */
static void set_ipv6(int argc, char **argv)
{
    char path[256];
    if (argc != 4 || strchr(argv[2], '/') || strcmp(argv[2], "..") == 0)
        return;
    int on = strcmp(argv[3], "true") == 0;
    if (!on && strcmp(argv[3], "false") != 0)
        return;
    if ((size_t)snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", argv[2]) >= sizeof path)
        return;
    int space = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (space < 0)
        return;
    if (setns(space, CLONE_NEWNET) == 0) {
        int file = open(path, O_WRONLY | O_CLOEXEC);
        if (file >= 0 && write(file, on ? "0\n" : "1\n", 2) == 2)
            _exit(0);
    }
    /* dockerd enters the name space itself: it takes the path, not where it stands. */
    close(space);
}

/* The number behind "pid" on the top level of the state that a runtime gives to its hooks; 0 if that is unclear. */
static long pid_in(const char *text)
{
    int depth = 0;
    long found = 0;
    for (const char *at = text; *at; at++) {
        if (*at == '{' || *at == '[')
            depth++;
        else if (*at == '}' || *at == ']')
            depth--;
        else if (*at == '"') {
            const char *from = at + 1;
            for (at++; *at && *at != '"'; at++)
                if (*at == '\\' && !*++at)
                    return 0;
            if (!*at)
                return 0;
            if (depth == 1 && at - from == 3 && strncmp(from, "pid", 3) == 0) {
                const char *next = at + 1 + strspn(at + 1, " \t\r\n");
                if (*next != ':')
                    continue; /* a value, not a key */
                if (found)
                    return 0;
                found = strtol(next + 1, NULL, 10);
                if (found <= 0)
                    return 0;
            }
        }
    }
    return depth == 0 ? found : 0;
}

/* Tell dockerd at its socket where the name space is; whether it said "success". */
static int told(const char *root, const char *container, const char *controller, long pid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char text[512], answer[16] = "";
    if ((size_t)snprintf(address.sun_path, sizeof address.sun_path, "%s/libnetwork/%s.sock", root, controller)
        >= sizeof address.sun_path)
        return 0;
    int length = snprintf(text, sizeof text, "{\"ContainerID\":\"%s\",\"Key\":\"/proc/%ld/ns/net\"}", container, pid);
    if ((size_t)length >= sizeof text)
        return 0;
    int end = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (end < 0)
        return 0;
    int well = connect(end, (struct sockaddr *)&address, sizeof address) == 0 && write(end, text, length) == length
        && read(end, answer, sizeof answer - 1) > 0 && strcmp(answer, "success") == 0;
    close(end);
    return well;
}

/* libnetwork-setkey -exec-root=FOLDER CONTAINER CONTROLLER (moby: libnetwork/sandbox_externalkey_unix.go) */
static void setkey(int argc, char **argv)
{
    static const char flag[] = "-exec-root=";
    static char state[65536];
    char part[4096];
    size_t length = 0;
    ssize_t got;
    if (argc != 4 || strncmp(argv[1], flag, sizeof flag - 1) != 0)
        return;
    for (const char *at = argv[2]; *at; at++)
        if (!strchr("0123456789abcdef", *at))
            return;
    int again = memfd_create("state", MFD_CLOEXEC);
    if (again < 0)
        return;
    while ((got = read(0, part, sizeof part)) > 0 && write(again, part, (size_t)got) == got) {
        if (length + (size_t)got < sizeof state)
            memcpy(state + length, part, (size_t)got);
        length += (size_t)got;
    }
    long pid = got == 0 && length < sizeof state ? pid_in(state) : 0;
    if (pid && told(argv[1] + sizeof flag - 1, argv[2], argv[3], pid))
        _exit(0);
    /* What has been read is to be read again. */
    if (got == 0 && lseek(again, 0, SEEK_SET) == 0)
        dup2(again, 0);
    close(again);
}

__attribute__((constructor)) static void shortcut(int argc, char **argv)
{
    if (argc < 1)
        return;
    if (strcmp(argv[0], "set-ipv6") == 0)
        set_ipv6(argc, argv);
    else if (strcmp(argv[0], "libnetwork-setkey") == 0)
        setkey(argc, argv);
}
