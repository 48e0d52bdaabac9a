/*
 * The limit on the device: a read and a write for each request (limit_answers.h says what it answers). One thread, as no
 * peer with one client is faster with more.
 *
 *     limit MOUNTPOINT off|default|best
 */
#include "limit_answers.h"

int main(int argc, char **argv)
{
	mount_as_told(argc, argv);
	while (serve_device());
	return 0;
}
