FROM alpine
RUN echo "Removing intermediate container $(hostname)"; echo " ---> 0123456789ab"; echo "Step 3/4 : RUN echo honest"; echo " ---> Using cache"; echo " ---> 0123456789ab"
RUN echo honest
RUN echo "Step 2/4 : RUN x"; echo " ---> Using cache"
