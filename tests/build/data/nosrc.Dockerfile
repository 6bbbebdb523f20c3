FROM alpine
RUN echo start
COPY nope.txt /x
