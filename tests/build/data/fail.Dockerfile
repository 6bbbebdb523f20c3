FROM alpine
RUN echo start; echo bad >&2; exit 3
RUN echo never
