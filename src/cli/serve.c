/*
 * cli/serve.c: check the configuration and become the supervisor.
 */
#include "cli.h"
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/file.h"

static bool supervisor_arguments(const struct instance *instance, int notify_fd,
				 struct supervisor_call *call)
{
	const char *libexec = instance_libexec();

	if (!libexec) {
		complain("posthold-supervisor is not where this program looks for it: the "
			 "installation is "
			 "incomplete.");
		return false;
	}
	snprintf(call->path, sizeof(call->path), "%s/posthold-supervisor", libexec);
	snprintf(call->data, sizeof(call->data), "--data=%s", instance->data);
	snprintf(call->notify, sizeof(call->notify), "--notify-fd=%d", notify_fd);
	call->argv[0] = call->path;
	call->argv[1] = call->data;
	call->argv[2] = notify_fd >= 0 ? call->notify : NULL;
	call->argv[3] = NULL;
	return true;
}

int cmd_serve(struct cli *cli, const struct command *command)
{
	struct supervisor_call call;
	struct instance instance;

	if (!argument_done(cli, command, 0))
		return EXIT_USAGE;
	if (instance_load(cli, &instance))
		return EXIT_FAILED;
	if (!check_instance(&instance, NULL) || instance_write_options(&instance) ||
	    !supervisor_arguments(&instance, -1, &call))
		return EXIT_FAILED;
	instance_done(&instance);
	execv(call.path, call.argv);
	complain("cannot run %s: %s", call.path, strerrordesc_np(errno));
	return EXIT_FAILED;
}

pid_t supervisor_start(const struct instance *instance)
{
	struct supervisor_call call;
	char word[16];
	int pipe_fds[2];
	ssize_t n;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC)) {
		complain("cannot make a pipe: %s", strerrordesc_np(errno));
		return -1;
	}
	if (!supervisor_arguments(instance, pipe_fds[1], &call))
		return -1;
	pid = fork();
	if (pid == 0) {
		fcntl(pipe_fds[1], F_SETFD, 0);
		execv(call.path, call.argv);
		_exit(127);
	}
	close(pipe_fds[1]);
	do
		n = read(pipe_fds[0], word, sizeof(word));
	while (n < 0 && errno == EINTR);
	close(pipe_fds[0]);
	if (n > 0 || pid < 0)
		return pid;
	/* The supervisor has said on standard error why. */
	waitpid(pid, NULL, 0);
	return -1;
}
