/* A disk that forgets at a power cut what was not synced. Preloaded into a process and armed by it:
 *
 *   powercut_arm(root, shadow, cut_at, full_while)
 *
 * Each fsync or fdatasync of a file under `root` copies it to `shadow/content/<inode>`; one of a folder writes the
 * names in it, with their inodes, to `shadow/names/<inode of the folder>`. A hard link in `shadow/links` keeps every
 * inode that was synced or listed, so that no number is given twice. At sync number `cut_at` (from 1; 0 for never)
 * the process is killed instead: what the shadow holds then is what the disk holds. `support.powercut` makes a folder
 * of it again. While the file `full_while` exists, writes under `root` find the disk full.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[PATH_MAX], shadow[PATH_MAX], full_while[PATH_MAX];
static long cut_at, syncs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void powercut_arm(const char *under, const char *to, long at, const char *full)
{
    snprintf(shadow, sizeof shadow, "%s", to);
    snprintf(full_while, sizeof full_while, "%s", full);
    cut_at = at;
    syncs = 0;
    snprintf(root, sizeof root, "%s", under);
}

long powercut_syncs(void) { return syncs; }

/* Whether a descriptor is of a file under the root; `path` becomes its path. */
static int is_ours(int fd, char *path)
{
    char link[64];
    if (!root[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    size_t under = strlen(root);
    return !strncmp(path, root, under) && (path[under] == '/' || path[under] == 0);
}

static void keep(const char *path, unsigned long inode)
{
    char name[PATH_MAX + 64];
    snprintf(name, sizeof name, "%s/links/%lu", shadow, inode);
    if (link(path, name) && errno != EEXIST && errno != ENOENT && errno != EPERM) abort();
}

/* Write through a second name, so that a cut never finds half of a copy. */
static int begin(char *partial, const char *kind)
{
    snprintf(partial, PATH_MAX + 64, "%s/%s/partial", shadow, kind);
    int out = open(partial, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    if (out < 0) abort();
    return out;
}

static void end(int out, const char *partial, const char *kind, unsigned long inode)
{
    char name[PATH_MAX + 64];
    close(out);
    snprintf(name, sizeof name, "%s/%s/%lu", shadow, kind, inode);
    if (rename(partial, name)) abort();
}

static void copy_content(const char *path, unsigned long inode)
{
    char partial[PATH_MAX + 64], source[PATH_MAX + 64], buffer[65536];
    keep(path, inode);
    snprintf(source, sizeof source, "%s/links/%lu", shadow, inode); /* never by the path: it may be another's by now */
    int in = open(source, O_RDONLY), out = begin(partial, "content");
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    for (ssize_t got; in >= 0 && (got = read(in, buffer, sizeof buffer)) > 0;)
        if (real(out, buffer, got) != got) abort();
    if (in >= 0) close(in);
    end(out, partial, "content", inode);
}

static void copy_names(const char *path, unsigned long inode)
{
    char partial[PATH_MAX + 64], below[PATH_MAX + 300];
    int out = begin(partial, "names");
    DIR *folder = opendir(path);
    if (!folder) abort();
    for (struct dirent *entry; (entry = readdir(folder));) {
        struct stat status;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (lstat(below, &status)) continue;
        if (!S_ISDIR(status.st_mode)) keep(below, status.st_ino);
        dprintf(out, "%c %lu %s\n", S_ISDIR(status.st_mode) ? 'd' : 'f', (unsigned long)status.st_ino, entry->d_name);
    }
    closedir(folder);
    end(out, partial, "names", inode);
}

static int sync_as(const char *name, int fd)
{
    char path[PATH_MAX];
    struct stat status;
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    if (!is_ours(fd, path) || fstat(fd, &status)) return real(fd);
    pthread_mutex_lock(&lock);
    if (++syncs == cut_at) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    if (S_ISDIR(status.st_mode)) copy_names(path, status.st_ino);
    else copy_content(path, status.st_ino);
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int fd) { return sync_as("fsync", fd); }
int fdatasync(int fd) { return sync_as("fdatasync", fd); }

static int is_full(int fd)
{
    char path[PATH_MAX];
    return full_while[0] && is_ours(fd, path) && !access(full_while, F_OK);
}

ssize_t write(int fd, const void *from, size_t count)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    if (is_full(fd)) { errno = ENOSPC; return -1; }
    return real(fd, from, count);
}

ssize_t pwrite64(int fd, const void *from, size_t count, off64_t at)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
    if (is_full(fd)) { errno = ENOSPC; return -1; }
    return real(fd, from, count, at);
}

ssize_t pwrite(int fd, const void *from, size_t count, off_t at) { return pwrite64(fd, from, count, at); }
