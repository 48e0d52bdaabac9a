// What is there, as text two filesystems can be compared by: stat, readdir, extended attributes, holes, whole trees.
#define _GNU_SOURCE
#include "executor.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { MOST_LINKED = 1024 };

struct linked { dev_t device; ino_t inode; char path[PATH_MAX]; };

// Files with several names that print_tree has met.
static struct linked linked[MOST_LINKED];
static int linked_count;

static char type_letter(mode_t mode) {
    switch (mode & S_IFMT) {
        case S_IFREG: return 'f';
        case S_IFDIR: return 'd';
        case S_IFLNK: return 'l';
        case S_IFIFO: return 'p';
        case S_IFSOCK: return 's';
        case S_IFCHR: return 'c';
        case S_IFBLK: return 'b';
        default: return '?';
    }
}

void print_time(const struct timespec *time) {
    if (time->tv_sec > 1500000000) printf("now");
    else printf("%lld.%09ld", (long long)time->tv_sec, time->tv_nsec);
}

void print_status(const struct stat *status) {
    printf("%c mode=%04o nlink=%lu owner=%u:%u", type_letter(status->st_mode), status->st_mode & 07777,
           (unsigned long)status->st_nlink, status->st_uid, status->st_gid);
    if (!S_ISDIR(status->st_mode)) printf(" size=%lld", (long long)status->st_size);
    printf(" mtime=");
    print_time(&status->st_mtim);
}

static int by_bytes(const struct dirent **left, const struct dirent **right) {
    return strcmp((*left)->d_name, (*right)->d_name);
}

void print_directory(const char *path) {
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, by_bytes);
    if (count < 0) { print_error(); return; }
    int directory = open(path, O_RDONLY | O_DIRECTORY);
    printf("ok");
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        struct stat status;
        printf(" %c:", type_letter(DTTOIF(entries[i]->d_type)));
        print_escaped(name, strlen(name));
        if (strcmp(name, ".") && strcmp(name, "..") && fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            status.st_ino != entries[i]->d_ino)
            printf("!inode");
        free(entries[i]);
    }
    free(entries);
    if (directory >= 0) close(directory);
}

static int by_text(const void *left, const void *right) { return strcmp(*(char *const *)left, *(char *const *)right); }

struct names { char bytes[65536], *sorted[1024]; int count; };

// Reads the names of the user namespace; -1 with errno when that fails.
static int read_attribute_names(const char *path, struct names *names) {
    ssize_t length = llistxattr(path, names->bytes, sizeof names->bytes);
    names->count = 0;
    for (char *name = names->bytes; name < names->bytes + length && names->count < 1024; name += strlen(name) + 1)
        if (!strncmp(name, "user.", 5)) names->sorted[names->count++] = name;
    qsort(names->sorted, names->count, sizeof *names->sorted, by_text);
    return length < 0 ? -1 : 0;
}

void print_attribute_names(const char *path) {
    static struct names names;
    if (read_attribute_names(path, &names) < 0) { print_error(); return; }
    printf("ok");
    for (int i = 0; i < names.count; i++) printf(" %s", names.sorted[i]);
}

static void print_attributes(const char *path) {
    static struct names names;
    unsigned char value[65536];
    if (read_attribute_names(path, &names) < 0) { printf(" attributes "); print_error(); return; }
    for (int i = 0; i < names.count; i++) {
        ssize_t size = lgetxattr(path, names.sorted[i], value, sizeof value);
        printf(" %s=", names.sorted[i]);
        if (size < 0) print_error();
        else print_bytes(value, (size_t)size);
    }
}

static void print_contents(const char *path, off_t size) {
    int file = open(path, O_RDONLY | O_NOFOLLOW);
    unsigned char *bytes = malloc(size + 1);
    if (file < 0 || !bytes) { printf(" "); print_error(); free(bytes); return; }
    ssize_t length = pread(file, bytes, size + 1, 0);  // one more: nothing may follow the end
    printf(" ");
    if (length < 0) print_error();
    else print_bytes(bytes, length);
    free(bytes);
    close(file);
}

static void print_first_name(const char *path, const struct stat *status) {
    for (int i = 0; i < linked_count; i++)
        if (linked[i].inode == status->st_ino && linked[i].device == status->st_dev) {
            printf(" is ");
            print_escaped(linked[i].path, strlen(linked[i].path));
            return;
        }
    if (linked_count == MOST_LINKED) return;
    linked[linked_count].device = status->st_dev;
    linked[linked_count].inode = status->st_ino;
    strcpy(linked[linked_count++].path, path);
}

static void print_file(const char *path, const struct stat *status) {
    char target[PATH_MAX];
    print_status(status);
    if (S_ISREG(status->st_mode)) print_contents(path, status->st_size);
    if (S_ISLNK(status->st_mode)) {
        ssize_t length = readlink(path, target, sizeof target);
        printf(" -> ");
        print_escaped(target, length < 0 ? 0 : length);
    }
    if (S_ISREG(status->st_mode) || S_ISDIR(status->st_mode)) print_attributes(path);
    if (!S_ISDIR(status->st_mode) && status->st_nlink > 1) print_first_name(path, status);
}

static void print_below(const char *directory) {
    struct dirent **entries;
    int count = scandir(directory, &entries, NULL, by_bytes);
    if (count < 0) { printf(" ;"); print_error(); return; }
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char path[PATH_MAX];
        struct stat status;
        snprintf(path, sizeof path, "%s/%s", directory, name);
        if (strcmp(name, ".") && strcmp(name, "..")) {
            printf(" ;");
            print_escaped(path, strlen(path));
            printf(" ");
            if (lstat(path, &status) < 0) print_error();
            else print_file(path, &status);
            if (type_letter(DTTOIF(entries[i]->d_type)) == 'd') print_below(path);
        }
        free(entries[i]);
    }
    free(entries);
}

void print_tree(void) {
    struct stat status;
    linked_count = 0;
    printf("ok ");
    if (lstat(".", &status) < 0) print_error();
    else print_file(".", &status);
    print_below(".");
}

// Compares one stretch, from `start` up to `end`, with what SEEK_DATA or SEEK_HOLE said it is.
static int is_zero(int descriptor, off_t start, off_t end) {
    unsigned char block[4096];
    while (start < end) {
        size_t wanted = end - start < (off_t)sizeof block ? (size_t)(end - start) : sizeof block;
        ssize_t count = pread(descriptor, block, wanted, start);
        if (count <= 0) return 0;
        for (ssize_t i = 0; i < count; i++) if (block[i]) return 0;
        start += count;
    }
    return 1;
}

void print_holes(int descriptor) {
    struct stat status;
    if (fstat(descriptor, &status) < 0) { print_error(); return; }
    if (!S_ISREG(status.st_mode)) { printf("ok no file"); return; }
    for (off_t position = 0; position < status.st_size;) {
        off_t data = lseek(descriptor, position, SEEK_DATA);
        if (data < 0 && errno != ENXIO) { print_error(); return; }
        off_t end = data < 0 ? status.st_size : data;
        if (end < position || end > status.st_size) { printf("SEEK_DATA out of bounds at %lld", (long long)position); return; }
        int readable = (fcntl(descriptor, F_GETFL) & O_ACCMODE) != O_WRONLY;
        if (readable && !is_zero(descriptor, position, end)) { printf("data in a hole at %lld", (long long)position); return; }
        if (data < 0) break;
        position = lseek(descriptor, data, SEEK_HOLE);
        if (position <= data || position > status.st_size) { printf("SEEK_HOLE out of bounds at %lld", (long long)data); return; }
    }
    if (lseek(descriptor, status.st_size, SEEK_DATA) != -1 || errno != ENXIO) printf("data after the end");
    else printf("ok holes");
}

static int remove_below(const char *directory) {
    struct dirent **entries;
    int failed = 0, count = scandir(directory, &entries, NULL, by_bytes);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char path[PATH_MAX];
        struct stat status;
        snprintf(path, sizeof path, "%s/%s", directory, name);
        if (!failed && strcmp(name, ".") && strcmp(name, "..")) {
            int directories = lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
            if (directories) { chmod(path, 0700); failed = remove_below(path) < 0 || rmdir(path) < 0; }
            else failed = unlink(path) < 0;
        }
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    return count < 0 || failed ? -1 : 0;
}

int remove_tree(void) { return remove_below("."); }
