ARG BASE=alpine
FROM ${BASE} AS first
ARG WHO=world
ENV X=1
RUN echo "hi $WHO" && \
    echo two
WORKDIR /w
COPY a.txt .
FROM alpine
COPY --from=first /w/a.txt /b.txt
RUN cat /b.txt; echo oops >&2
CMD ["x"]
