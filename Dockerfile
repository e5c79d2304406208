# The study on a machine with an NVIDIA GPU. torch's wheels bring CUDA, so the host needs only the driver and NVIDIA's
# container toolkit. The image has the environment and a copy of the clone; a clone mounted at /study takes its place.
FROM python:3.11-slim

# DVC needs git, and so does the commit that each training records.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/*

# A layer for the lock alone: a change of the code does not install the packages again.
COPY requirements.lock /tmp/
RUN pip install --no-cache-dir --root-user-action ignore --require-hashes -r /tmp/requirements.lock

# `docker run --user` may give any user ID, that of the mounted clone's owner: git has to trust the clone, the home folder
# is open to all, and USER stands in for the missing line in /etc/passwd.
RUN useradd --uid 1000 --create-home dlcv \
 && chmod 1777 /home/dlcv \
 && install --directory --owner dlcv --group dlcv /study \
 && git config --system --add safe.directory /study
ENV HOME=/home/dlcv USER=dlcv NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

WORKDIR /study
COPY --chown=dlcv:dlcv . .
RUN pip install --no-cache-dir --root-user-action ignore --no-deps --editable .

USER 1000
CMD ["sh", "-c", "dlcv tracking init && exec dlcv repro"]
