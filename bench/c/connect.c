/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens and closes TCP connections, a number of them in flight at a time, for a while.
 *
 * connect ADDRESS PORT IN_FLIGHT SECONDS DEVICES
 *
 * They go out over the interfaces d0, d1 … in turn, of which there are DEVICES. Prints: connections opened,
 * seconds, how many failed, and the median of the microseconds from connect(2) to the answer. Each is closed
 * by a reset, so that no port waits to be used again. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_IN_FLIGHT = 1024, SAMPLES = 1 << 20, PATIENCE = 3000 };

static struct sockaddr_in server = {.sin_family = AF_INET};
static int poll_fd;
static int fds[MOST_IN_FLIGHT];
static double began[MOST_IN_FLIGHT];
static double samples[SAMPLES];
static long opened, failed;
static unsigned int devices, next_device;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static int by_size(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

static int new_socket(int flags)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);
	char device[16];
	int length = snprintf(device, sizeof(device), "d%u", next_device++ % devices);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)length) < 0)
		fail("socket");
	return fd;
}

static void count(int worked, double took)
{
	if (!worked) {
		failed++;
		return;
	}
	if (opened < SAMPLES)
		samples[opened] = took;
	opened++;
}

static void one_at_a_time(double end)
{
	while (now() < end) {
		struct timeval patience = {.tv_sec = PATIENCE / 1000};
		int fd = new_socket(0);
		double start;
		int worked;

		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		start = now();
		worked = connect(fd, (struct sockaddr *)&server, sizeof(server)) == 0;
		count(worked, now() - start);
		close(fd);
	}
}

static void begin(unsigned int place)
{
	struct epoll_event event = {.events = EPOLLOUT, .data.u32 = place};

	fds[place] = new_socket(SOCK_NONBLOCK);
	began[place] = now();
	if (connect(fds[place], (struct sockaddr *)&server, sizeof(server)) < 0 && errno != EINPROGRESS)
		fail("connect");
	if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fds[place], &event) < 0)
		fail("epoll_ctl");
}

static void many(unsigned int in_flight, double end)
{
	struct epoll_event events[MOST_IN_FLIGHT];

	poll_fd = epoll_create1(0);
	if (poll_fd < 0)
		fail("epoll_create1");
	for (unsigned int place = 0; place < in_flight; place++)
		begin(place);
	while (now() < end) {
		int ready = epoll_wait(poll_fd, events, (int)in_flight, PATIENCE);

		if (ready <= 0) {
			failed += (long)in_flight;
			return;
		}
		for (int i = 0; i < ready; i++) {
			unsigned int place = events[i].data.u32;
			int error = 0;
			socklen_t size = sizeof(error);

			getsockopt(fds[place], SOL_SOCKET, SO_ERROR, &error, &size);
			count(!error, now() - began[place]);
			close(fds[place]);
			begin(place);
		}
	}
}

int main(int words_count, char **words)
{
	int in_flight;
	double start, took;
	long sampled;

	if (words_count != 6 || inet_pton(AF_INET, words[1], &server.sin_addr) != 1) {
		fputs("usage: connect ADDRESS PORT IN_FLIGHT SECONDS DEVICES\n", stderr);
		return 2;
	}
	server.sin_port = htons((unsigned short)atoi(words[2]));
	in_flight = atoi(words[3]);
	devices = (unsigned int)atoi(words[5]);
	if (in_flight < 1 || in_flight > MOST_IN_FLIGHT || devices < 1)
		return 2;
	start = now();
	if (in_flight == 1)
		one_at_a_time(start + atof(words[4]));
	else
		many((unsigned int)in_flight, start + atof(words[4]));
	took = now() - start;
	sampled = opened < SAMPLES ? opened : SAMPLES;
	qsort(samples, (size_t)sampled, sizeof(samples[0]), by_size);
	printf("%ld %.9f %ld %.3f\n", opened, took, failed, sampled ? samples[sampled / 2] * 1e6 : 0.0);
	return 0;
}
