FROM dockerlab-no-such-base:1
RUN echo start
