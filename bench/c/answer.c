/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other end: answer PORT. Accepts TCP connections at all addresses and closes them. Prints `ready` once
 * it listens; ends when it is killed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int count, char **words)
{
	struct sockaddr_in own = {.sin_family = AF_INET};
	int yes = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (count != 2 || fd < 0)
		return 2;
	own.sin_port = htons((unsigned short)atoi(words[1]));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0 || listen(fd, 4096) < 0) {
		perror("listen");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		int connection = accept(fd, NULL, NULL);

		if (connection >= 0)
			close(connection);
	}
}
