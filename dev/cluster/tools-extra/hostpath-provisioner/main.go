// Command hostpath-provisioner gives every claim of one StorageClass a directory of the node.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

type provisioner struct{ root string }

// directory is derived from the claim's UID alone, so that a repeated call finds the same one.
func (p provisioner) directory(volume string) string { return filepath.Join(p.root, volume) }

func (p provisioner) Provision(_ context.Context, o controller.ProvisionOptions) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
	directory := p.directory(o.PVName)
	if err := os.MkdirAll(directory, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, fmt.Errorf("make the volume's directory: %w", err)
	}
	// MkdirAll obeys the umask; pods that do not run as root must be able to write.
	if err := os.Chmod(directory, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, fmt.Errorf("open the volume's directory to pods: %w", err)
	}
	kind := corev1.HostPathDirectory
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: o.PVName},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *o.StorageClass.ReclaimPolicy,
			AccessModes:                   o.PVC.Spec.AccessModes,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: o.PVC.Spec.Resources.Requests[corev1.ResourceStorage]},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: directory, Type: &kind},
			},
		},
	}, controller.ProvisioningFinished, nil
}

func (p provisioner) Delete(_ context.Context, volume *corev1.PersistentVolume) error {
	return os.RemoveAll(p.directory(volume.Name))
}

func main() {
	root := flag.String("root", "", "directory that holds the volumes")
	name := flag.String("name", "evenkeel.dev/hostpath", "provisioner name in the StorageClass")
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig to reach the API server with")
	flag.Parse()
	if *root == "" || *kubeconfig == "" {
		fmt.Fprintln(os.Stderr, "--root and --kubeconfig are required")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		klog.Fatalf("read --kubeconfig: %v", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		klog.Fatalf("make a client: %v", err)
	}
	controller.NewProvisionController(
		ctx, client, *name, provisioner{root: *root}, controller.LeaderElection(false),
	).Run(ctx)
}
