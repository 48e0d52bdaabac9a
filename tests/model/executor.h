// What the two halves of the model test's executor share: executor.c (operations) and snapshot.c (what is there).
#ifndef MODEL_EXECUTOR_H
#define MODEL_EXECUTOR_H

#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

// Prints the errno's name as an operation's result.
void print_error(void);
// Prints bytes so that no space, semicolon or line end is among them (percent escapes).
void print_escaped(const void *bytes, size_t length);
// Prints bytes: short ones as they are, long ones as length and hash.
void print_bytes(const unsigned char *bytes, size_t length);

// Prints a time. Those that the test sets lie before 2017; any other is the moment of a change, which is "now".
void print_time(const struct timespec *time);
// Prints what stat says, without what two filesystems may choose freely (inode number, blocks, a directory's size).
void print_status(const struct stat *status);
// Prints a directory's entries, sorted, each with its type; "!inode" when readdir and lstat disagree.
void print_directory(const char *path);
// Prints the whole tree below the working directory, sorted: status, contents, targets, extended attributes, links.
void print_tree(void);
// Prints extended attribute names of the user namespace, sorted.
void print_attribute_names(const char *path);
// Checks SEEK_DATA and SEEK_HOLE of an open regular file against its bytes.
void print_holes(int descriptor);
// Removes everything below the working directory; 0, or -1 with errno.
int remove_tree(void);

#endif
